import { readFileSync } from "node:fs";
import { join } from "node:path";
import { API } from "typescript/unstable/sync";
import { mutated, type Mutant } from "./mutant.ts";
import { mutantsOf } from "./operators.ts";

/** A TypeScript project: its sources' mutants, and which of them the compiler accepts. Nothing is written to its folder. */
export class Project {
  readonly #config: string;
  readonly #api: API;
  /** Texts the compiler sees instead of the files'. */
  readonly #overlay = new Map<string, string>();
  #snapshot: ReturnType<API["updateSnapshot"]>;

  /** Opens the project of a folder's `tsconfig.json`. */
  constructor(folder: string) {
    this.#config = join(folder, "tsconfig.json");
    this.#api = new API({ cwd: folder, fs: { readFile: (path) => this.#overlay.get(path) } });
    this.#snapshot = this.#api.updateSnapshot({ openProjects: [this.#config] });
  }

  /** Every mutant of the sources under a folder, tests and what serves them left out. */
  mutants(folder: string): Mutant[] {
    const program = this.#program();
    return program
      .getSourceFileNames()
      .filter((file) => file.startsWith(`${folder}/`) && file.endsWith(".ts") && !isForTests(file))
      .flatMap((file) => {
        const source = program.getSourceFile(file);
        return source === undefined ? [] : mutantsOf(source);
      });
  }

  /** Whether the mutant's file still passes the compiler. */
  accepts(mutant: Mutant): boolean {
    const { file } = mutant;
    this.#show(file, mutated(readFileSync(file, "utf8"), mutant));
    const program = this.#program();
    const accepted =
      program.getSyntacticDiagnostics(file).length === 0 && program.getSemanticDiagnostics(file).length === 0;
    this.#show(file, null);
    return accepted;
  }

  close(): void {
    this.#api.close();
  }

  #show(file: string, text: string | null): void {
    if (text === null) this.#overlay.delete(file);
    else this.#overlay.set(file, text);
    this.#snapshot.dispose();
    this.#snapshot = this.#api.updateSnapshot({ fileChanges: { changed: [file] } });
  }

  #program() {
    const project = this.#snapshot.getProject(this.#config);
    if (project === undefined) throw new Error(`TypeScript does not open ${this.#config}`);
    return project.program;
  }
}

function isForTests(file: string): boolean {
  return /\.test\.ts$|\/test-support\.ts$|\/testing\/|\/node_modules\//.test(file);
}
