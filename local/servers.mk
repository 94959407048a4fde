# The service on real servers: installed on this machine, or in containers. Included by the Makefile.

COMPOSE := sh local/compose.sh

.PHONY: services services-stop services-status monitoring up down install-service uninstall-service

services: $(INSTALLED) ## Start PostgreSQL, RabbitMQ, memcached, nginx and the service natively
	@./sync services start

services-stop: $(INSTALLED) ## Stop what `make services` started; data is kept
	@./sync services stop

services-status: $(INSTALLED) ## Show which of these servers and processes run
	@./sync services status

monitoring: $(INSTALLED) ## Start Prometheus with the alerts beside the running service; Ctrl-C stops it
	@./sync monitoring

up: ## Start everything in containers, and wait until it works; needs Docker with Compose 2
	@sh local/up.sh

down: ## Stop the containers; data is kept
	@$(COMPOSE) down

install-service: ## As root: install or upgrade the service for systemd, see docs/on_premises.md
	@PYTHON='$(PYTHON)' sh local/systemd/install.sh

uninstall-service: ## As root: remove it again; data is kept
	@sh local/systemd/uninstall.sh
