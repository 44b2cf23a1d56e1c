/**
 * Preloaded into the process of a test and its threads: shows them one source file changed, or notes which files they load.
 * Its own URL says what to do, because a thread may have no environment.
 *
 *   ?file=     the source file, absolute
 *   &text=     a file with the text it has instead
 *   ?loaded=   a file to which the loaded source files are added, one a line
 */
import { appendFileSync, readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

const wish = new URL(import.meta.url).searchParams;
const [file, text, loaded] = [wish.get("file"), wish.get("text"), wish.get("loaded")];
const place = file === null ? null : pathToFileURL(file).href;

registerHooks({
  load: (url, context, nextLoad) => {
    const found = nextLoad(url, context);
    if (loaded !== null) appendFileSync(loaded, `${url}\n`);
    return url === place && text !== null ? { ...found, source: readFileSync(text, "utf8") } : found;
  },
});
