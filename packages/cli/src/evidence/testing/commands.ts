/** The commands of evidence, run as the command line runs them. */
import { join } from "node:path";
import { Writable } from "node:stream";
import { sharedFolder } from "@cmcp/appraise/testing";
import type { Command } from "../../command.ts";
import { evidenceVerify } from "../evidence-verify.ts";

/** A file of the corpus, wherever that is. */
export const corpusPath = (name: string): string => join(sharedFolder() ?? "", "evidence", name);

export async function run(command: Command, ...args: string[]): Promise<{ code: number; out: string }> {
  const chunks: string[] = [];
  const out = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      chunks.push(chunk.toString());
      done();
    },
  });
  const code = await command.run(args, {
    out,
    err: new Writable({ write: (_chunk, _encoding, done) => done() }),
    colour: false,
  });
  return { code, out: chunks.join("") };
}

export interface Verdict {
  readonly outcome: string;
  readonly assurance: string;
  readonly checks: readonly {
    readonly name: string;
    readonly status: string;
    readonly code?: string;
    readonly why: string;
  }[];
  readonly ear: { readonly submods: Readonly<Record<string, { readonly "ear.status": string }>> };
}

export async function verdict(
  ...args: string[]
): Promise<{ code: number; verdict: Verdict; failed: readonly string[] }> {
  const { code, out } = await run(evidenceVerify, ...args, "--json");
  const parsed = JSON.parse(out) as Verdict;
  return {
    code,
    verdict: parsed,
    failed: parsed.checks.flatMap((check) => (check.status === "failed" ? [check.code ?? ""] : [])),
  };
}
