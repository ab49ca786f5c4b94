# The steps of the delivery. Each runs without a workflow too: make plan STACK=production
# It needs the Pulumi CLI, `pulumi install`, and rights on what STACK declares.
STACK ?= production
PLAN = .delivery/plan-$(STACK).md
PREVIEW = .delivery/preview-$(STACK).json
PACK = --policy-pack policy
# Says why where there is none; $(1) are more options, $(2) more to say then.
preview = mkdir -p .delivery && { pulumi preview --stack "$(STACK)" --non-interactive --json $(1) > "$(PREVIEW)" \
  || { $(SECRETSCTL) planned "$(PREVIEW)"; $(2) exit 1; }; }
# Which rules are broken is not in a preview's JSON.
broken = pulumi preview --stack "$(STACK)" --non-interactive --color never $(PACK) | sed -n '/^Policies:/,/^$$/p' >&2;
judged = $(call preview,$(PACK),$(broken))

plan: ## What an update of STACK would do, also into PLAN, for whoever approves it
	@$(judged)
	@$(SECRETSCTL) planned "$(PREVIEW)" > "$(PLAN)"
	@cat "$(PLAN)"

deploy: ## Update STACK, unless that deletes or replaces more than PLAN says
	@$(judged)
	@$(SECRETSCTL) planned "$(PREVIEW)" --approved "$(PLAN)"
	@pulumi up --stack "$(STACK)" --non-interactive --yes --skip-preview $(PACK)

drift: ## Whether the cluster and the providers still have what STACK declares
	@$(call preview,--refresh)
	@$(SECRETSCTL) planned "$(PREVIEW)" --exit-code

doctor: ## What is wrong with the environment that runs, and what to do next
	@$(SECRETSCTL) doctor --env "$(STACK)"

.PHONY: plan deploy drift doctor
