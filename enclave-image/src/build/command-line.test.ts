import assert from "node:assert/strict";
import { test } from "node:test";
import { ARGUMENTS, commandLine, type Platform } from "./command-line.ts";

const PLATFORMS: readonly Platform[] = ["sev-snp", "tdx", "vtpm", "none"];
/** `COMMAND_LINE_SIZE` of x86. */
const KERNEL_LIMIT = 2048;

const words = (platform: Platform, edition: "release" | "debug" = "release"): string[] =>
  commandLine(platform, edition).split(" ");

test("each word is there for a reason, once", () => {
  assert.equal(new Set(ARGUMENTS.map(({ text }) => text)).size, ARGUMENTS.length);
  for (const { text, reason } of ARGUMENTS) {
    assert.match(text, /^[!-~]+$/, "no blank inside");
    assert.ok(reason.length > 20, text);
  }
});

test("a release has no console, a debug edition is measured as something else", () => {
  for (const platform of PLATFORMS) {
    assert.deepEqual(
      words(platform).filter((word) => word.startsWith("console")),
      ["console=null"],
    );
    assert.ok(words(platform).includes("8250.nr_uarts=0"));
    assert.deepEqual(
      words(platform, "debug").filter((word) => word.startsWith("console")),
      ["console=ttyS0"],
    );
    assert.ok(commandLine(platform, "release").length < KERNEL_LIMIT);
  }
});

test("only SEV-SNP boots without ACPI and on one processor", () => {
  for (const platform of PLATFORMS) {
    for (const word of ["acpi=off", "nr_cpus=1"])
      assert.equal(words(platform).includes(word), platform === "sev-snp", `${word} on ${platform}`);
  }
});

test("every edition seeds from the processor alone, loads signed modules only, and ends on a fault", () => {
  for (const platform of PLATFORMS) {
    for (const edition of ["release", "debug"] as const) {
      for (const word of [
        "random.trust_cpu=on",
        "random.trust_bootloader=off",
        "module.sig_enforce=1",
        "lockdown=confidentiality",
        "panic=-1",
        "oops=panic",
      ])
        assert.ok(words(platform, edition).includes(word), word);
      assert.equal(words(platform, edition).at(-1), `cmcp.platform=${platform}`);
    }
  }
});
