import type { Random } from "./random.ts";

/** Expands `{name}` by a choice of that name and `[a|b]` by one of the alternatives, which may be empty. */
export function expand(template: string, lists: Readonly<Record<string, readonly string[]>>, random: Random): string {
  let text = template;
  for (let depth = 0; depth < 6 && /[{[]/.test(text); depth += 1)
    text = text
      .replace(/\[([^[\]{}]*)\]/g, (_, choices: string) => random.pick(choices.split("|")))
      .replace(/\{(\w+)\}/g, (_, name: string) => random.pick(lists[name] ?? [name]));
  return text.replaceAll(/ {2,}/g, " ").trim();
}
