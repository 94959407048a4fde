# The service on real servers: installed on this machine, or in containers. Included by the Makefile.

COMPOSE := sh local/compose.sh

.PHONY: services services-stop services-status up down

services: $(VENV)/.run ## Start PostgreSQL, RabbitMQ, memcached, nginx and the service natively
	@$(BIN)/python -m local services start

services-stop: $(VENV)/.run ## Stop what `make services` started; data is kept
	@$(BIN)/python -m local services stop

services-status: $(VENV)/.run ## Say which of them run
	@$(BIN)/python -m local services status

up: ## Start everything in containers, needs Docker with Compose
	@$(COMPOSE) up --detach --build

down: ## Stop the containers; data is kept
	@$(COMPOSE) down
