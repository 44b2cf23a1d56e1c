/** Loaded before a command (`--import`): writes the URL of every module that the process loads to `CMCP_MODULE_LOG`, a line each. */
import { appendFileSync } from "node:fs";
import { registerHooks } from "node:module";
import process from "node:process";

const log = process.env["CMCP_MODULE_LOG"] ?? "";

registerHooks({
  load(url, context, next) {
    appendFileSync(log, `${url}\n`);
    return next(url, context);
  },
});
