# The web app: libraries from npm by lock file, files hashed by name and compressed into $(B)/web by tools/web.mjs.

.PHONY: web
web: $(B)/.web.done
node_modules/.done: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error --ignore-scripts
	@touch $@
$(B)/.web.done: node_modules/.done tools/web.mjs $(shell find web -type f 2>/dev/null)
	node tools/web.mjs web $(B)/web
	@touch $@
