-- For wrk: sends prepared requests in turn, or the URL's own, and prints what came of it as JSON.
local requests, sent = {}, 0

function init(arguments)
  if not arguments[1] then
    local plain = wrk.format("GET")
    request = function() return plain end
    return
  end
  local file = assert(io.open(arguments[1], "rb"))
  local text = file:read("*a")
  file:close()
  local first = 1
  while first <= #text do
    local ends = text:find("\0", first, true)
    requests[#requests + 1] = text:sub(first, ends - 1)
    first = ends + 1
  end
  request = function()
    sent = sent % #requests + 1
    return requests[sent]
  end
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '\nJSON{"requests": %d, "seconds": %f, "median_ms": %f, "p99_ms": %f, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3,
    latency:percentile(99) / 1e3, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
