/** Prints what the detectors find, and what they find where nothing is, on named corpora. */
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { sample, stringMatching } from "fast-check";
import type { JsonValue } from "../../packages/boundary/src/index.ts";
import { SECRET_RULES } from "../../packages/findings/src/data/secret-rules.ts";
import type { Findings } from "../../packages/findings/src/findings.ts";
import { findContent, loadDetectors, stringLeaves } from "../../packages/findings/src/index.ts";
import type { RuleSetData } from "../../packages/findings/src/secrets/rules.ts";
import { attack } from "../injection-model/attacks.ts";
import { harmless } from "../injection-model/harmless.ts";
import { pages } from "../injection-model/pages.ts";
import { Random } from "../injection-model/random.ts";
import { agentdojo } from "./agentdojo.ts";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const detectors = await loadDetectors();
const find = (text: string): Findings => findContent(stringLeaves({ text }), detectors);
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const MIN_PARAGRAPH = 80;
const GENERATED = 500;

/** A rule's pattern as JavaScript has it; flags inside and word boundaries are left out. */
function pattern(regex: string): RegExp {
  const source = regex
    .replaceAll(/\(\?i\)|\\b/g, "")
    .replaceAll(/\(\?-?[is]+:/g, "(?:")
    .replaceAll("(?P<", "(?<")
    .replaceAll("[:alnum:]", "A-Za-z0-9")
    .replaceAll("\\z", "$");
  return new RegExp(`^(?:${source})$`);
}

function secretRecall(): void {
  const { rules } = JSON.parse(SECRET_RULES) as RuleSetData;
  const missed: string[] = [];
  let tried = 0;
  for (const { id, regex } of rules) {
    let samples: string[];
    try {
      samples = sample(stringMatching(pattern(regex)), { numRuns: 5, seed: 1 });
    } catch {
      continue;
    }
    tried += 1;
    if (!samples.some((secret) => find(`note: ${secret} end`).kinds.includes(`secret:${id}`))) missed.push(id);
  }
  say(`secrets, one of five strings made from each rule's pattern: ${tried - missed.length} of ${tried} rules`);
  say(`  not found: ${missed.join(", ")}`);
}

const share = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;

function row(name: string, texts: readonly string[]): void {
  const found = texts.map(find);
  const count = (holds: (findings: Findings) => boolean): string => share(found.filter(holds).length, found.length);
  say(
    `${name} | ${found.length} | ${count((of) => of.secrets > 0)} | ${count((of) => of.personalData > 0)} | ` +
      `${count((of) => of.injectionMarks > 0)} | ${count((of) => of.hiddenText)} | ${count((of) => of.carryingLinks > 0)} | ` +
      `${count((of) => of.injectionScore >= 50)} | ${count((of) => of.injectionScore >= 80)} | ${count((of) => of.injectionScore >= 90)}`,
  );
}

function times(calls: readonly JsonValue[]): string {
  const look = (call: JsonValue): number => {
    const start = performance.now();
    findContent(stringLeaves(call), detectors);
    return performance.now() - start;
  };
  for (let warm = 0; warm < 3; warm += 1) for (const call of calls) look(call);
  const sorted = calls.map(look).sort((left, right) => left - right);
  const at = (part: number): string => (sorted[Math.floor(sorted.length * part)] ?? 0).toFixed(3);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms`;
}

/** A call of about 2 KB: rows with an id and a message. */
function rowsOf(random: Random): JsonValue {
  const rows: JsonValue[] = [];
  while (JSON.stringify(rows).length < 2000) rows.push({ id: random.below(99_999), note: harmless(random) });
  return { rows };
}

function speed(texts: readonly string[], random: Random): void {
  const starts = texts.filter((text) => text.length >= 2048).map((text) => text.slice(0, 2048));
  say(`2 KB of rows with messages: ${times(Array.from({ length: GENERATED }, () => rowsOf(random)))}`);
  say(`2 KB of a README's start: ${times(starts)}`);
  const start = performance.now();
  find("harmless words and numbers 12345 ".repeat(65_536));
  say(`2 MB: ${(performance.now() - start).toFixed(0)} ms, of which 256 Ki characters are examined`);
}

secretRecall();
const random = new Random(7);
const readmes = globSync("node_modules/.pnpm/*/node_modules/{*,@*/*}/README.md", { cwd: root })
  .sort()
  .map((file) => readFileSync(join(root, file), "utf8"));
const paragraphs = (texts: readonly string[]): string[] =>
  texts.flatMap((text) => text.split(/\n\n+/)).filter((paragraph) => paragraph.length >= MIN_PARAGRAPH);
say("corpus | texts | secrets | personal data | marks | hidden text | carrying links | score ≥ 50 | ≥ 80 | ≥ 90");
const generated = (make: () => string): string[] => Array.from({ length: GENERATED }, make);
row(
  "attacks of held-out families",
  generated(() => attack(random, true)),
);
for (const [name, texts] of Object.entries(agentdojo(join(root, ".cache/detect/agentdojo")))) row(name, texts);
row(
  "harmless sentences",
  generated(() => harmless(random)),
);
row("paragraphs of docs/, odd pages", paragraphs(await pages(root, "test")));
row("paragraphs of installed READMEs", paragraphs(readmes));
row("installed READMEs, whole", readmes);
speed(readmes, random);
