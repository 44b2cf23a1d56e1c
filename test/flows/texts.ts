/** Made-up texts for the figures: records of one genre, notes without any relation to them, and what an agent does to a text. */

/** Numbers from 0 up to a bound, the same in every run (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  of(list: readonly string[]): string {
    return list[this.below(list.length)] ?? "";
  }
}

const split = (words: string): readonly string[] => words.split(" ");
const GIVEN = split("Maria Anna Jonas Peter Ingrid Samuel Farid Lin Olga Tomas Ruth Victor Nadia Hugo Elena Amir");
const FAMILY = split(
  "Gonzales Weber Okafor Lindqvist Haddad Novak Petrov Tanaka Moreau Silva Keller Byrne Costa Vogel",
);
const COMPLAINTS = split("cough dizziness headache fatigue rash fever nausea insomnia backache wheezing tremor");
const DRUGS = split("amoxicillin ibuprofen metformin lisinopril sertraline omeprazole prednisone warfarin");
const PLACES = split("Lakeside Northgate Riverside Hillcrest Eastbrook Fairview Oakdale Westport");
const NOUNS = split(
  "invoice garden engine recipe train lecture budget sculpture harbour printer festival contract bicycle",
);
const VERBS = split("arrives improves replaces describes delays finishes supports repairs compares schedules collects");
const MANNERS = split("slowly carefully tomorrow again together quietly beforehand rarely precisely gladly twice");

/** A patient's record in sentences. Records have the same frame and other details. */
export function record(dice: Dice): string {
  const name = `${dice.of(GIVEN)} ${dice.of(FAMILY)}`;
  return [
    `Patient ${name}, aged ${20 + dice.below(70)}, was seen at ${dice.of(PLACES)} clinic with ${dice.of(COMPLAINTS)}`,
    `and ${dice.of(COMPLAINTS)} lasting ${2 + dice.below(30)} days.`,
    `We started ${dice.of(DRUGS)} and ${dice.of(DRUGS)}; ${dice.of(GIVEN)} ${dice.of(FAMILY)} is the contact person.`,
    `Home address: ${dice.below(900) + 1} ${dice.of(PLACES)} ${dice.of(FAMILY)} Road.`,
    `Next visit with Dr ${dice.of(FAMILY)} in ${2 + dice.below(20)} weeks, record RX-${100_000 + dice.below(900_000)}.`,
  ].join(" ");
}

/** A note on something else. */
export function note(dice: Dice): string {
  const sentences = Array.from({ length: 6 }, () => {
    const [one, other] = [dice.of(NOUNS), dice.of(NOUNS)];
    return `The ${one} ${dice.of(VERBS)} the ${other} ${dice.of(MANNERS)} and ${dice.of(VERBS)} ${dice.of(MANNERS)}.`;
  });
  return sentences.join(" ");
}

const SYNONYMS: readonly (readonly [RegExp, string])[] = [
  [/Patient /g, "A person called "],
  [/, aged (\d+), was seen at (\w+) clinic with/g, " ($1 years old) visited the $2 practice because of"],
  [/ lasting (\d+) days/g, " for $1 days now"],
  [/We started (\w+) and (\w+);/g, "Treatment is $1 together with $2, and"],
  [/ is the contact person/g, " can be called"],
  [/Home address: (\d+) (\w+)/g, "They live in $2, number $1,"],
  [/Next visit with Dr (\w+) in (\d+) weeks, record/g, "Dr $1 sees them again after $2 weeks; file"],
];

/** The same content in other words; details stay. */
export function paraphrased(text: string): string {
  return SYNONYMS.reduce((said, [from, to]) => said.replace(from, to), text);
}

/** The text without every n-th word. */
export function dropping(text: string, every: number): string {
  return text
    .split(" ")
    .filter((_, at) => at % every !== every - 1)
    .join(" ");
}

/** What an agent does to an excerpt. */
export const TRANSFORMATIONS: readonly (readonly [string, (text: string) => string])[] = [
  ["verbatim", (text) => text],
  ["upper case", (text) => text.toUpperCase()],
  ["other spacing", (text) => text.replaceAll(" ", " \n\t ")],
  ["JSON in a string", (text) => JSON.stringify({ body: { text } })],
  ["base64", (text) => Buffer.from(text).toString("base64")],
  ["hexadecimal", (text) => Buffer.from(text).toString("hex")],
  ["URL", (text) => `https://example.org/?q=${encodeURIComponent(text)}`],
  ["every 10th word dropped", (text) => dropping(text, 10)],
  ["every 4th word dropped", (text) => dropping(text, 4)],
];
