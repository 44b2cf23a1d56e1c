import process from "node:process";
import { styleText } from "node:util";

type Style = Parameters<typeof styleText>[0];

function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

function line(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** A numbered heading. */
export function step(number: number, text: string): void {
  line(`\n${paint("bold", `${number}. ${text}`)}`);
}

/** A line below a heading. */
export function say(text: string): void {
  line(`   ${text}`);
}

/** One call and what became of it. */
export function outcome(verdict: "allowed" | "redacted" | "denied" | "waits", call: string, why: string): void {
  const colour = { allowed: "green", redacted: "yellow", denied: "red", waits: "yellow" } as const;
  line(`   ${paint(colour[verdict], verdict.padEnd(8))}  ${call}`);
  line(`             ${paint("dim", why)}`);
}

/** What a command printed, indented. */
export function quote(text: string): void {
  for (const part of text.trimEnd().split("\n")) line(`   ${paint("dim", "│")} ${part}`);
}

/** A command the reader can try. */
export function command(text: string): void {
  line(`   ${paint("cyan", text)}`);
}
