import { CmcpError } from "@cmcp/boundary";

/** One value a register can have after an honest launch of an image. */
export interface RegisterValue {
  /** Lowercase hex. */
  readonly value: string;
  /** What the host does when it is this one; empty when the host has no say. */
  readonly when: string;
}

/** What a register of a platform holds after launch. */
export interface RegisterPrediction {
  readonly register: string;
  /** What its values follow from. */
  readonly from: "image" | "image and machine";
  readonly values: readonly RegisterValue[];
}

/** Everything that follows from the bytes given, and what does not. */
export interface Prediction {
  readonly registers: readonly RegisterPrediction[];
  readonly notPredicted: readonly { readonly register: string; readonly why: string }[];
}

/** Values of one register over the ways of starting an image, each value once. One that all ways lead to is always it. */
export function valuesOver<T extends { readonly when: string }>(
  variants: readonly T[],
  valueOf: (variant: T) => string,
): readonly RegisterValue[] {
  const whens = new Map<string, string[]>();
  for (const variant of variants) {
    const value = valueOf(variant);
    whens.set(value, [...(whens.get(value) ?? []), variant.when]);
  }
  return [...whens].map(([value, when]) => ({
    value,
    when: whens.size === 1 && variants.length > 1 ? "" : when.filter((text) => text !== "").join("; or "),
  }));
}

/** The values of one register that was predicted. */
export function predictedValues({ registers }: Prediction, register: string): string[] {
  const found = registers.find((candidate) => candidate.register === register);
  if (found === undefined) throw new CmcpError("INTERNAL", `${register} was not predicted`);
  return found.values.map(({ value }) => value);
}
