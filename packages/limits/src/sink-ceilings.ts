/** Where data may go: the most sensitive label for each sink. A sink without one takes nothing. */
export class SinkCeilings {
  readonly #ceilings: ReadonlyMap<string, number>;
  readonly #response: number;
  readonly #rank: (label: string) => number;

  /**
   * @param ceilings label by the name of a tool, prompt or resource
   * @param response label of what callers may get
   * @param rank rank of a label; throws for an unknown one
   */
  constructor(ceilings: Readonly<Record<string, string>>, response: string, rank: (label: string) => number) {
    this.#ceilings = new Map(Object.entries(ceilings).map(([name, label]) => [name, rank(label)]));
    this.#response = rank(response);
    this.#rank = rank;
  }

  /** Whether data of these labels may go to a tool, prompt or resource. */
  admitsTo(name: string, labels: readonly string[]): boolean {
    return this.#isWithin(this.#ceilings.get(name), labels);
  }

  /** Whether data of these labels may go to the caller. */
  admitsResponse(labels: readonly string[]): boolean {
    return this.#isWithin(this.#response, labels);
  }

  #isWithin(ceiling: number | undefined, labels: readonly string[]): boolean {
    return ceiling !== undefined && labels.length > 0 && labels.every((label) => this.#rank(label) <= ceiling);
  }
}
