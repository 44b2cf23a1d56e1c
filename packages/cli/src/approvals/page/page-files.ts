import { fileURLToPath } from "node:url";
import { readFileOf } from "../../read-file.ts";

/** The page, built beside this command. */
const FOLDER = new URL("./approvals-page/", import.meta.url);

/** A file of the page. */
export interface PageFile {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** The files of the page by their path. */
export async function pageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const files = [
    ["", "index.html", "text/html; charset=utf-8"],
    ["page.js", "page.js", "text/javascript; charset=utf-8"],
    ["page.css", "page.css", "text/css; charset=utf-8"],
  ] as const;
  return new Map(
    await Promise.all(
      files.map(async ([path, name, type]) => {
        const bytes = await readFileOf(fileURLToPath(new URL(name, FOLDER)));
        return [path, { type, bytes }] as const;
      }),
    ),
  );
}
