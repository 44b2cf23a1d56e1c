import type { PatternNode } from "./pattern-syntax.ts";

/** Most characters and classes of a pattern, repetitions written out. */
const MAX_POSITIONS = 200;
/** Most edges between them; the product has the square of it. */
const MAX_EDGES = 800;
/** Most parts of a pattern, repetitions written out; parts without characters count as well. */
const MAX_BUILT = 5000;
/** A repetition of more than this is taken as endless, which can only find more ambiguity. */
const MAX_WRITTEN_OUT = 12;

interface Fragment {
  readonly nullable: boolean;
  readonly first: readonly number[];
  readonly last: readonly number[];
}

const EMPTY: Fragment = { nullable: true, first: [], last: [] };

/** The position automaton of a pattern (Glushkov): one state a character, an edge where one may follow another. */
class Positions {
  readonly sets: ReadonlySet<number>[] = [];
  readonly follow: Set<number>[] = [];
  /** Some text can be repeated in two ways without reading anything different, as in `(a*)*`. */
  ambiguousLoop = false;
  #edges = 0;
  #built = 0;

  build(node: PatternNode): Fragment {
    this.#built += 1;
    if (this.#built > MAX_BUILT) throw new RangeError("too many repeated parts");
    switch (node.kind) {
      case "nothing":
        return EMPTY;
      case "characters": {
        this.sets.push(node.set);
        this.follow.push(new Set());
        if (this.sets.length > MAX_POSITIONS) throw new RangeError("too many positions");
        const position = this.sets.length - 1;
        return { nullable: false, first: [position], last: [position] };
      }
      case "sequence":
        return node.items.reduce<Fragment>((before, item) => this.#join(before, this.build(item)), EMPTY);
      case "choice": {
        const parts = node.options.map((option) => this.build(option));
        return {
          nullable: parts.some((part) => part.nullable),
          first: parts.flatMap((part) => part.first),
          last: parts.flatMap((part) => part.last),
        };
      }
      case "repeat":
        return this.#repeat(node.item, node.min, node.max);
      default:
        return node satisfies never;
    }
  }

  #join(left: Fragment, right: Fragment): Fragment {
    for (const from of left.last) for (const to of right.first) this.#edge(from, to);
    return {
      nullable: left.nullable && right.nullable,
      first: left.nullable ? [...left.first, ...right.first] : left.first,
      last: right.nullable ? [...left.last, ...right.last] : right.last,
    };
  }

  #repeat(item: PatternNode, min: number, max: number): Fragment {
    const endless = max > MAX_WRITTEN_OUT;
    const copies = Math.min(endless ? Math.max(min, 1) : max, MAX_WRITTEN_OUT);
    let whole = EMPTY;
    for (let copy = 1; copy <= copies; copy += 1) {
      const once = this.build(item);
      const looped = endless && copy === copies ? this.#loop(once) : once;
      whole = this.#join(whole, copy > min ? { ...looped, nullable: true } : looped);
    }
    return whole;
  }

  #loop(body: Fragment): Fragment {
    for (const from of body.last) {
      for (const to of body.first) {
        if (this.follow[from]?.has(to)) this.ambiguousLoop = true;
        this.#edge(from, to);
      }
    }
    return body;
  }

  #edge(from: number, to: number): void {
    this.follow[from]?.add(to);
    this.#edges += 1;
    if (this.#edges > MAX_EDGES) throw new RangeError("too many ways from one part to the next");
  }
}

function meet(a: ReadonlySet<number> | undefined, b: ReadonlySet<number> | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  for (const member of a) if (b.has(member)) return true;
  return false;
}

/** States reachable by at least one edge. */
function reach(edges: readonly (readonly number[])[], starts: Iterable<number>): Set<number> {
  const seen = new Set<number>();
  const pending = [...starts];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    for (const next of edges[at] ?? []) {
      if (seen.has(next)) continue;
      seen.add(next);
      pending.push(next);
    }
  }
  return seen;
}

/**
 * Whether some text can lead from a character of the pattern back to it in two ways, so that a
 * backtracking matcher may need time exponential in the text's length. Decided on the product of the position
 * automaton with itself: a pair of different states between two pairs of one state.
 * @throws RangeError for a pattern with too many positions or edges
 */
export function isExponential(node: PatternNode): boolean {
  const positions = new Positions();
  positions.build(node);
  if (positions.ambiguousLoop) return true;
  const { sets, follow } = positions;
  const size = sets.length;
  const forward: number[][] = Array.from({ length: size * size }, () => []);
  const backward: number[][] = Array.from({ length: size * size }, () => []);
  for (let a = 0; a < size; a += 1) {
    for (let b = 0; b < size; b += 1) {
      for (const x of follow[a] ?? []) {
        for (const y of follow[b] ?? []) {
          if (!meet(sets[x], sets[y])) continue;
          forward[a * size + b]?.push(x * size + y);
          backward[x * size + y]?.push(a * size + b);
        }
      }
    }
  }
  for (let state = 0; state < size; state += 1) {
    const same = state * size + state;
    const after = reach(forward, [same]);
    if (!after.has(same)) continue;
    const before = reach(backward, [same]);
    for (const pair of after) if (pair % size !== Math.floor(pair / size) && before.has(pair)) return true;
  }
  return false;
}
