/** Brings the generated parts of docs/ up to date with the code. */
import { writeSection } from "./generated-section.ts";
import { GENERATED_SECTIONS } from "./generated-sections.ts";

for (const section of GENERATED_SECTIONS) await writeSection(section);
