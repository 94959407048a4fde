       -- The error without its details, as `shared.failure_help.reason_of` has it.
       CASE WHEN f.last_error LIKE '%%the worker stopped without an answer, attempts used up'
            THEN 'The worker stopped without an answer'
            ELSE split_part(f.last_error, ': ', 1) END
