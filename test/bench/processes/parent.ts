import { createInterface } from "node:readline";
import process from "node:process";

/** The argument a bench process was started with. */
export function argument(): unknown {
  return JSON.parse(process.argv[2] ?? "{}");
}

/** Says one thing to the process that started this one. */
export function say(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** Answers every question in order; the end of the questions ends the process. */
export async function answer(reply: (question: unknown) => Promise<object>): Promise<never> {
  for await (const line of createInterface({ input: process.stdin })) say(await reply(JSON.parse(line)));
  process.exit(0);
}

/** Ends this process together with the one that started it. */
export function endWithParent(): void {
  process.stdin.resume().once("end", () => process.exit(0));
}
