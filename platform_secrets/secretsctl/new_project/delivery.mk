# The steps of the delivery. Each runs without a workflow too: make plan STACK=production
# It needs the Pulumi CLI, `pulumi install`, and rights on what STACK declares.
STACK ?= production
PLAN = .delivery/plan-$(STACK).md
PREVIEW = .delivery/preview-$(STACK).json
# Says why where there is none.
preview = mkdir -p .delivery && { pulumi preview --stack "$(STACK)" --non-interactive --json $(1) > "$(PREVIEW)" \
  || { $(SECRETSCTL) planned "$(PREVIEW)"; exit 1; }; }

plan: ## What an update of STACK would do, also into PLAN, for whoever approves it
	@$(call preview)
	@$(SECRETSCTL) planned "$(PREVIEW)" > "$(PLAN)"
	@cat "$(PLAN)"

deploy: ## Update STACK, unless that deletes or replaces more than PLAN says
	@$(call preview)
	@$(SECRETSCTL) planned "$(PREVIEW)" --approved "$(PLAN)"
	@pulumi up --stack "$(STACK)" --non-interactive --yes --skip-preview

drift: ## Whether the cluster and the providers still have what STACK declares
	@$(call preview,--refresh)
	@$(SECRETSCTL) planned "$(PREVIEW)" --exit-code

doctor: ## What is wrong with the environment that runs, and what to do next
	@$(SECRETSCTL) doctor --env "$(STACK)"

.PHONY: plan deploy drift doctor
