# The comment on a pull request. It runs without a workflow too: make review BASE=main
BASE ?= main
SECRETSCTL ?= .venv/bin/secretsctl

# What is wrong with either is a part of the text, which holds the other all the same.
review: ## Whether what is rendered breaks a rule, and what a change since BASE means
	@code=0; { $(SECRETSCTL) check --markdown || code=$$?; \
	  $(SECRETSCTL) diff --base "$(BASE)" --markdown || code=$$?; } 2>&1; exit $$code

.PHONY: review

