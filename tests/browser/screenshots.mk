# The admin's screenshots, for the README. Included by the Makefile.

.PHONY: screenshots

screenshots: $(VENV)/.dev ## Take the admin's screenshots again into docs/images (needs Chromium)
	$(BIN)/python -m tests.browser.screenshots docs/images
