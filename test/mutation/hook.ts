/**
 * Preloaded into the process of a test: shows it one source file changed, or notes which files it loads.
 *
 *   CMCP_MUTANT_FILE   the source file, absolute
 *   CMCP_MUTANT_TEXT   a file with the text it has instead
 *   CMCP_LOADED        a file to which the loaded source files are added, one a line
 */
import { appendFileSync, readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import process from "node:process";
import { pathToFileURL } from "node:url";

const { CMCP_MUTANT_FILE: file, CMCP_MUTANT_TEXT: text, CMCP_LOADED: loaded } = process.env;
const place = file === undefined ? null : pathToFileURL(file).href;

registerHooks({
  load: (url, context, nextLoad) => {
    const found = nextLoad(url, context);
    if (loaded !== undefined) appendFileSync(loaded, `${url}\n`);
    return url === place && text !== undefined ? { ...found, source: readFileSync(text, "utf8") } : found;
  },
});
