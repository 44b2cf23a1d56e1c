/** A mutant that no test can tell from the source, and why. */
export interface Equivalent {
  /** Source file, from the root. */
  readonly file: string;
  /** The line it begins on, without its indentation. */
  readonly line: string;
  /** What is changed, as a report names it. */
  readonly name: string;
  readonly reason: string;
}
