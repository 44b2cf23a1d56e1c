/** The oracle of test/log/go: the Go project's own libraries for notes and trees, and torchwood's for witnesses. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { isJsonObject, parseJsonText, type JsonObject } from "@cmcp/boundary";

/** A program that `test/log/install.sh` builds. */
export function goProgram(name: "oracle" | "litewitness"): string {
  return fileURLToPath(new URL(`../../.cache/go/bin/${name}`, import.meta.url));
}

/** Why the tests against programs in Go are skipped. */
export const NO_GO = "needs programs in Go: sh test/log/install.sh";

/** Whether the programs in Go are there. */
export function hasGo(): boolean {
  return (["oracle", "litewitness"] as const).every((name) => existsSync(goProgram(name)));
}

const LIMITS = { maxBytes: 64 * 1024 * 1024, maxDepth: 8, maxItems: 100_000 };

/** The oracle's answers, each with `error` where its library refused. */
export function ask(questions: readonly object[]): JsonObject[] {
  const input = questions.map((question) => `${JSON.stringify(question)}\n`).join("");
  const { stdout, status, stderr } = spawnSync(goProgram("oracle"), { input, encoding: "utf8", maxBuffer: 64 << 20 });
  if (status !== 0) throw new Error(`the oracle failed: ${stderr}`);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => {
      const answer = parseJsonText(line, LIMITS);
      if (!isJsonObject(answer)) throw new Error("the oracle's answer is not an object");
      return answer;
    });
}

/** A text of an answer. */
export function textOf(answer: JsonObject | undefined, member: string): string {
  const value = answer?.[member];
  if (typeof value !== "string") throw new Error(`no ${member} in ${JSON.stringify(answer)}`);
  return value;
}

/** Bytes of an answer. */
export function bytesOf(value: unknown): Uint8Array {
  if (typeof value !== "string") throw new Error("an answer lacks bytes");
  return Uint8Array.from(Buffer.from(value, "base64"));
}

/** Bytes in a question. */
export function asText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
