/** Reads the corpus of AgentDojo (MIT): what its attacks say, and the harmless messages of its environments. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

/** Texts by name of the part; none when the corpus is not there. */
export type Corpus = Readonly<Record<string, readonly string[]>>;

const LITERAL = /"""([\s\S]*?)"""|"((?:[^"\\\n]|\\.)*)"/g;
/** Between two literals that Python joins. */
const ADJACENT = /(?<!")"[ \t]*\n[ \t]*f?"(?!")/g;
/** Shortest text of an environment that is a message and not a name. */
const MIN_MESSAGE = 60;

const literals = (source: string): string[] =>
  Array.from(source.replaceAll(ADJACENT, "").matchAll(LITERAL), ([, long, short]) =>
    (long ?? short ?? "").replaceAll("\\n", "\n"),
  );

function sources(folder: string, pattern: string): string[] {
  return globSync(pattern, { cwd: folder })
    .sort()
    .map((file) => readFileSync(join(folder, file), "utf8"));
}

function goalsOf(folder: string): string[] {
  return sources(folder, "default_suites/v1/*/injection_tasks.py").flatMap((source) =>
    Array.from(source.matchAll(/^ {4}GOAL = (\([\s\S]*?^ {4}\)|.*$)/gm), ([, value = ""]) => literals(value).join("")),
  );
}

function messagesOf(folder: string): string[] {
  const messages: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value === "string") {
      const text = value.replaceAll(/\{\w+\}/g, "");
      if (text.length >= MIN_MESSAGE) messages.push(text);
    } else if (typeof value === "object" && value !== null) for (const member of Object.values(value)) walk(member);
  };
  for (const source of sources(folder, "data/suites/*/{environment.yaml,include/*.yaml}"))
    walk(parse(source.replaceAll(/^.*!include.*$/gm, ""), { logLevel: "silent" }));
  return messages;
}

/** The corpus in a folder where the package is unpacked. */
export function agentdojo(folder: string): Corpus {
  if (!existsSync(folder)) return {};
  const goals = goalsOf(folder).filter((goal) => goal.length > 0);
  const templates = sources(folder, "attacks/*.py")
    .flatMap(literals)
    .filter((literal) => literal.includes("{goal}") && !literal.startsWith("Attack "));
  const filled = (template: string): string[] =>
    goals.map((goal) => template.replace("{goal}", goal).replaceAll("{user}", "Emma").replaceAll("{model}", "AI"));
  return {
    "AgentDojo: goals in a template": templates.flatMap(filled),
    "AgentDojo: goals alone": goals,
    "AgentDojo: harmless messages": messagesOf(folder),
  };
}
