# Three machines on one, see docs/scaling.md. Included by the Makefile.

.PHONY: cluster cluster-down

cluster: ## Start three machines as containers on http://localhost:28001 and :28002; needs Docker
	@sh local/cluster/compose.sh up --detach --build --wait

cluster-down: ## Stop them and remove their data
	@sh local/cluster/compose.sh down --volumes
