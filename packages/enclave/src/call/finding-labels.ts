import type { Findings } from "@cmcp/findings";
import { joinCompartments, LOWEST, type Compartments, type Vocabulary } from "@cmcp/session";

/** Classes of findings that can raise labels, spelled as in the configuration. */
export type LabelledClass =
  | "secrets"
  | "personal_data"
  | "contacts"
  | "injection_marks"
  | "hidden_text"
  | "carrying_links";

const HAS: Readonly<Record<LabelledClass, (found: Findings) => boolean>> = {
  secrets: ({ secrets }) => secrets > 0,
  personal_data: ({ personalData }) => personalData > 0,
  contacts: ({ contacts }) => contacts > 0,
  injection_marks: ({ injectionMarks }) => injectionMarks > 0,
  hidden_text: ({ hiddenText }) => hiddenText,
  carrying_links: ({ carryingLinks }) => carryingLinks > 0,
};
const CLASSES = Object.keys(HAS) as readonly LabelledClass[];

/** The labels that findings raise, as the measured configuration has them. */
export class FindingLabels {
  readonly #labels: readonly (readonly [LabelledClass, Compartments])[];

  constructor(configured: Readonly<Partial<Record<LabelledClass, string | undefined>>>, vocabulary: Vocabulary) {
    this.#labels = CLASSES.flatMap((of) => {
      const label = configured[of];
      return label === undefined ? [] : [[of, vocabulary.compartmentsOf([label])] as const];
    });
  }

  /** Whether any finding raises a label. */
  get isConfigured(): boolean {
    return this.#labels.length > 0;
  }

  /** Every compartment that findings can put data into. */
  get all(): Compartments {
    return this.#labels.reduce<Compartments>((all, [, own]) => joinCompartments(all, own), LOWEST.compartments);
  }

  /** The compartments that findings put data into. What was not looked at whole can hold anything that is configured. */
  of(found: Findings): Compartments {
    return this.#labels.reduce<Compartments>(
      (all, [of, compartments]) => (!found.complete || HAS[of](found) ? joinCompartments(all, compartments) : all),
      LOWEST.compartments,
    );
  }
}
