import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { zstdDecompressSync } from "node:zlib";
import { readCpio } from "../../enclave-image/src/archive/testing/read-cpio.ts";
import { foundChanged } from "../conformance/policy-tee/policy-tee-002.ts";
import { writeOverlaid } from "./overlay.ts";
import type { Tampering } from "./scene.ts";

/** Bytes of the unpacked initramfs at most. */
const MAX_UNPACKED = 256 * 1024 * 1024;

/** A tampering, and the checks of the verifier that fail by it: name and code. */
interface FoundTampering extends Tampering {
  readonly expected: readonly string[];
}

const otherImage = (part: string): readonly string[] => [
  "image EVIDENCE_MEASUREMENT_MISMATCH",
  `image: ${part} EVIDENCE_MEASUREMENT_MISMATCH`,
  "required: measurement EVIDENCE_POLICY_VIOLATION",
];

/** One byte that root on the host changes, in each of the three places where an operator's word stands. The machine serves all the same. */
export const TAMPERINGS = {
  "the bundled script": {
    expected: otherImage("initramfs"),
    image: {
      file: "initramfs.cpio.zst",
      async change(path, to) {
        const members = readCpio(zstdDecompressSync(await readFile(path), { maxOutputLength: MAX_UNPACKED }));
        const script = Buffer.from(members.find((member) => member.path === "app/enclave.cjs")?.data ?? "");
        // In a comment that the bundler leaves, so that the script does what it did.
        script.write("X", script.indexOf("// ") + 3);
        await writeOverlaid(path, { scripts: {}, files: { "/app/enclave.cjs": script } }, to);
      },
    },
  },
  "the kernel command line": {
    expected: otherImage("command line"),
    image: {
      file: "cmdline-vtpm",
      change: async (path, to) => await writeFile(to, (await readFile(path, "utf8")).replace("panic=-1", "panic=-2")),
    },
  },
  "the policy": {
    expected: foundChanged("policy"),
    async deployment(folder) {
      const path = join(folder, "policies/records.cedar");
      await writeFile(path, (await readFile(path, "utf8")).replace('"hipaa_phi"', '"hipaa_phj"'));
    },
  },
} as const satisfies Readonly<Record<string, FoundTampering>>;
