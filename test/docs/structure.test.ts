/** Every page of docs/ has its place: a folder by purpose, a line in the index, and a decision its status and date. */
import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./deployment-folder.ts";

const DOCS = join(ROOT, "docs");
const INDEX = "README.md";
const pages = globSync("**/*.md", { cwd: DOCS });
const read = (page: string): string => readFileSync(join(DOCS, page), "utf8");
const isDecision = (page: string): boolean => page.startsWith("decisions/") && page !== "decisions/README.md";

test("a page stands in a folder by purpose", () => {
  assert.ok(pages.length > 50, String(pages.length));
  for (const page of pages.filter((name) => name !== INDEX))
    assert.match(page, /^(?:tutorials|how-to|reference|explanation|decisions)\//);
});

test("the index leads to every page, and the list of decisions to every decision", () => {
  const [index, decisions] = [read(INDEX), read("decisions/README.md")];
  for (const page of pages.filter((name) => name !== INDEX)) {
    const [list, target] = isDecision(page) ? [decisions, page.replace("decisions/", "")] : [index, page];
    assert.ok(list.includes(`](${target})`), `nothing leads to ${page}`);
  }
});

test("a decision says its status and the day it was made", () => {
  for (const page of pages.filter(isDecision))
    assert.match(
      read(page),
      /^# .+\n\nStatus: (?:accepted|replaced by \[.+\]\(.+\))\. Date: \d{4}-\d\d-\d\d\.\n\n/,
      page,
    );
});

test("a decision says its context, its choice and what it costs, in this order", () => {
  for (const page of pages.filter(isDecision)) {
    const parts = [...read(page).matchAll(/^\*\*(Context|Choice|Cost)\.\*\*(?: |$)/gm)].map(([, part]) => part);
    assert.deepEqual(parts, ["Context", "Choice", "Cost"], page);
  }
});

test("the how-to pages of operators are all there", () => {
  for (const name of [
    "write-and-test-a-policy",
    "approve-a-tool",
    "add-an-identity-provider",
    "rotate-keys-and-tokens",
    "monitor",
    "back-up-and-restore",
    "debug-a-denied-call",
    "run-confidentially/README",
  ])
    assert.ok(pages.includes(`how-to/${name}.md`), name);
});

/** Longest README of a package, in lines. */
const MAX_README_LINES = 40;

test("a package and each top-level part has a README that says what it owns, what it never holds, where to begin, and its SPEC", () => {
  const parts = globSync(["packages/*", "attestation", "host-proxy", "enclave-image"], { cwd: ROOT });
  assert.ok(parts.length >= 18, parts.join());
  for (const part of parts) {
    const text = readFileSync(join(ROOT, part, "README.md"), "utf8");
    const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
    assert.deepEqual(headings, ["Owns", "Never holds", "Entry points", "SPEC"], part);
    assert.ok(text.split("\n").length <= MAX_README_LINES, part);
    for (const [, path = ""] of text.matchAll(/`((?:src|native|bin)\/?[\w./-]*)`/g))
      assert.ok(existsSync(join(ROOT, part, path)), `${part}: ${path}`);
  }
});
