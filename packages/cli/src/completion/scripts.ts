import type { CommandWords } from "./words.ts";

/** A word that may come next, with what it does. */
interface Offer {
  readonly word: string;
  readonly summary: string;
}

/** What is offered after the words of a group, and after none. */
interface Level {
  /** The words before, each followed by a space; one space for none. */
  readonly before: string;
  readonly offers: readonly Offer[];
}

function levels(commands: readonly CommandWords[]): readonly Level[] {
  const groups = Map.groupBy(commands, ({ name }) => name.split(" ", 1)[0] ?? "");
  const first: Offer[] = [];
  const further: Level[] = [];
  for (const [word, members] of groups) {
    const alone = members.find(({ name }) => name === word);
    first.push({ word, summary: alone?.summary ?? `the commands of ${word}` });
    const offers = members
      .filter(({ name }) => name !== word)
      .map(({ name, summary }) => ({ word: name.slice(word.length + 1), summary }));
    if (offers.length > 0) further.push({ before: `${word} `, offers });
  }
  return [{ before: " ", offers: first }, ...further];
}

/** Bash 3.2 and newer. Where nothing is offered, file names are. */
function bash(commands: readonly CommandWords[]): string {
  const words = levels(commands).map(
    ({ before, offers }) => `    "${before}") words="${offers.map(({ word }) => word).join(" ")}" ;;\n`,
  );
  const options = commands.map(
    ({ name, options: own }) => `    "${name} "*) [[ $word == -* ]] && words="${own.join(" ")}" ;;\n`,
  );
  return (
    '_cmcp() {\n  local word="${COMP_WORDS[COMP_CWORD]}" words=\n' +
    `  case "\${COMP_WORDS[*]:1:COMP_CWORD-1} " in\n${words.join("")}${options.join("")}  esac\n` +
    '  COMPREPLY=($(compgen -W "$words" -- "$word"))\n}\ncomplete -o default -F _cmcp cmcp\n'
  );
}

const quotedForZsh = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

function zsh(commands: readonly CommandWords[]): string {
  const words = levels(commands).map(
    ({ before, offers }) =>
      `    "${before}") offered=(${offers.map(({ word, summary }) => quotedForZsh(`${word}:${summary}`)).join(" ")}) ;;\n`,
  );
  const options = commands.map(
    ({ name, options: own }) => `    "${name} "*) [[ \${words[CURRENT]} == -* ]] && offered=(${own.join(" ")}) ;;\n`,
  );
  return (
    "#compdef cmcp\n_cmcp() {\n  local -a offered\n" +
    `  case "\${(j: :)words[2,CURRENT-1]} " in\n${words.join("")}${options.join("")}  esac\n` +
    '  if (( $#offered )); then _describe "cmcp" offered; else _files; fi\n}\n' +
    'if [[ "$funcstack[1]" == _cmcp ]]; then _cmcp "$@"; else compdef _cmcp cmcp; fi\n'
  );
}

const quotedForFish = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

function fish(commands: readonly CommandWords[]): string {
  const after = (words: string): string => `complete -c cmcp -n '__cmcp_after "${words}"'`;
  const words = levels(commands).flatMap(({ before, offers }) =>
    offers.map(({ word, summary }) => `${after(before)} -f -a ${word} -d ${quotedForFish(summary)}\n`),
  );
  const options = commands.flatMap(({ name, options: own }) =>
    own.map((option) => `${after(`${name} *`)} -l ${option.slice(2)}\n`),
  );
  return (
    "function __cmcp_after\n  set -l words (commandline -opc)\n  set -e words[1]\n" +
    `  string match -q -- $argv[1] "$words "\nend\n${words.join("")}${options.join("")}`
  );
}

/** Writes a shell's script, by the shell's name. */
export const SCRIPTS: ReadonlyMap<string, (commands: readonly CommandWords[]) => string> = new Map(
  Object.entries({ bash, zsh, fish }),
);
