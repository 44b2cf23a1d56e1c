/**
 * Trains the injection model and writes its weights. The same tree gives the same bytes: texts come from a seeded
 * generator and from the even-numbered pages of docs/. The odd-numbered pages, and the families that attacks.ts holds
 * out, are for scripts/detect alone.
 */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { featuresAt, MODEL_BYTES, windowStarts, STRIDE, WINDOW } from "../../packages/findings/src/injection/model.ts";
import { wordsOf } from "../../packages/findings/src/injection/words.ts";
import { attack } from "./attacks.ts";
import { pages } from "./pages.ts";
import { harmless } from "./harmless.ts";
import { Random } from "./random.ts";

const SEED = 20_26;
const TEXTS = 12_000;
const EPOCHS = 12;
const RATE = 0.3;
const DECAY = 3e-5;
/** The model's curve: the score's offset and how many weights make one unit. */
const BIAS = -2;
const UNIT = 16;

interface Window {
  readonly features: readonly number[];
  readonly norm: number;
  readonly label: 0 | 1;
}

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const random = new Random(SEED);

function windowsOf(text: string, label: 0 | 1): Window[] {
  const words = wordsOf(text);
  if (words.length < 3) return [];
  return windowStarts(words.length).map((start) => {
    const end = Math.min(words.length, start + WINDOW);
    const features: number[] = [];
    for (let at = start; at < end; at += 1) features.push(...featuresAt(words, at));
    return { features, norm: 1 / Math.sqrt(Math.max(end - start, STRIDE)), label };
  });
}

const windows: Window[] = [];
for (let at = 0; at < TEXTS; at += 1) {
  const text = attack(random);
  // One window an attack: its rest may be harmless.
  windows.push(...windowsOf(text, 1).slice(0, 1), ...windowsOf(harmless(random), 0));
  if (at % 4 === 0) windows.push(...windowsOf(`${harmless(random)} ${text}`, 1).slice(-1));
}
for (const page of await pages(root, "train")) windows.push(...windowsOf(page, 0));

const weights = new Float64Array(MODEL_BYTES);
for (let epoch = 0; epoch < EPOCHS; epoch += 1) {
  const rate = RATE / (1 + epoch / 3);
  for (let step = 0; step < windows.length; step += 1) {
    const { features, norm, label } = random.pick(windows);
    let sum = 0;
    for (const feature of features) sum += weights[feature] ?? 0;
    const wrong = label - 1 / (1 + Math.exp(-(sum * norm + BIAS)));
    for (const feature of features)
      weights[feature] = (weights[feature] ?? 0) * (1 - rate * DECAY) + rate * wrong * norm;
  }
}
const bytes = new Int8Array(MODEL_BYTES);
for (const [at, weight] of weights.entries()) bytes[at] = Math.max(-127, Math.min(127, Math.round(weight * UNIT)));
const model = Buffer.from(bytes.buffer);
await writeFile(
  join(root, "packages/findings/src/data/injection-weights.ts"),
  "/** Written by scripts/injection-model/train.ts: signed bytes as base64. */\n" +
    `export const INJECTION_WEIGHTS =\n  "${model.toString("base64")}";\n`,
);
process.stdout.write(`${windows.length} windows; SHA-256 ${createHash("sha256").update(model).digest("hex")}\n`);
