/** Every link from one page of this repository to another leads to a file that exists, and to a heading in it. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, test } from "node:test";
import { ROOT } from "./deployment-folder.ts";

const SKIPPED = ["node_modules", "dist", "out"];
const pages = globSync("**/*.md", { cwd: ROOT, exclude: (name) => SKIPPED.includes(name) || name.startsWith(".") });

/** A page without what is in fences, where brackets are code. */
function prose(path: string): string {
  return readFileSync(path, "utf8").replace(/^```[^]*?^```$/gm, "");
}

/** Targets of links within the repository, with `#heading`. */
function targets(page: string): string[] {
  return [...prose(page).matchAll(/\[(?:[^\][]|\[[^\]]*\])*\]\(([^)\s]+)\)/g)]
    .map(([, target = ""]) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

/** The anchors of a page's headings as GitHub makes them. */
function anchors(path: string): Set<string> {
  const found = new Map<string, number>();
  const names = [...prose(path).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading = ""]) => {
    const name = heading
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
      .replaceAll(" ", "-");
    const times = found.get(name) ?? 0;
    found.set(name, times + 1);
    return times === 0 ? name : `${name}-${times}`;
  });
  return new Set(names);
}

test("there are pages, with links between them", () => {
  assert.ok(pages.length > 50, String(pages.length));
  assert.ok(pages.flatMap((page) => targets(join(ROOT, page))).length > 300);
});

describe("the links of", () => {
  for (const page of pages) {
    test(page, () => {
      const path = join(ROOT, page);
      for (const target of targets(path)) {
        const [file = "", anchor] = target.split("#");
        const to = file === "" ? path : resolve(dirname(path), decodeURIComponent(file));
        assert.ok(!relative(ROOT, to).startsWith(".."), `${target} leaves the repository`);
        assert.ok(existsSync(to), `${target}: no such file`);
        if (anchor !== undefined && statSync(to).isFile() && to.endsWith(".md"))
          assert.ok(anchors(to).has(anchor), `${target}: no such heading`);
      }
    });
  }
});
