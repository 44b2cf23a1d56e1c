import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ROOT, type DeploymentFolder } from "./deployment-folder.ts";
import { CID, describedMachine, type DescribedPlatform } from "./started-machine.ts";

/** Where libvirt.sh puts libvirt's schemas and xmllint. */
const LIBVIRT = join(ROOT, ".cache/libvirt");
/** What a test says when it cannot look at libvirt's own schema. */
export const NO_LIBVIRT = "libvirt's schemas are not in .cache/libvirt; test/docs/libvirt.sh fetches them";

/** The machine a page describes to libvirt is the launcher's, and libvirt's schema accepts it. */
export async function assertDescribes(
  t: TestContext,
  folder: DeploymentFolder,
  platform: DescribedPlatform,
): Promise<void> {
  const file = join(folder.path, `cmcp-${platform}.xml`);
  assertSameMachine(readFileSync(file, "utf8"), folder, platform);
  await t.test(
    "is valid by libvirt's schema",
    { skip: existsSync(join(LIBVIRT, "complete")) ? false : NO_LIBVIRT },
    () => {
      const libraries = ["usr/lib", "lib"].map((name) => join(LIBVIRT, name, "x86_64-linux-gnu")).join(":");
      const loader = [
        join(LIBVIRT, "usr/lib64/ld-linux-x86-64.so.2"),
        "--inhibit-cache",
        "--library-path",
        libraries,
        join(LIBVIRT, "usr/bin/xmllint"),
      ] as const;
      const [program, ...args] = loader;
      execFileSync(
        program,
        [...args, "--nonet", "--noout", "--relaxng", join(LIBVIRT, "usr/share/libvirt/schemas/domain.rng"), file],
        { stdio: "pipe" },
      );
    },
  );
}

function assertSameMachine(xml: string, folder: DeploymentFolder, platform: DescribedPlatform): void {
  const { boot, firmware, memoryMegabytes, processors, processorModel, launchDigest } = describedMachine(
    folder,
    platform,
  );
  assert.ok("kernel" in boot && firmware !== null && "bios" in firmware);
  const element = (name: string): string | undefined =>
    new RegExp(`<${name}(?: [^>]*)?>([^<]*)</${name}>`).exec(xml)?.[1];
  const read = {
    loader: element("loader"),
    kernel: element("kernel"),
    initrd: element("initrd"),
    cmdline: element("cmdline"),
    memory: element("memory"),
    vcpu: element("vcpu"),
    cid: /<cid auto='no' address='(\d+)'\/>/.exec(xml)?.[1],
    ...(platform === "tdx"
      ? { mode: /<cpu mode='([a-z-]+)'/.exec(xml)?.[1], digest: element("mrConfigId") }
      : {
          model: element("model"),
          digest: element("hostData"),
          policy: element("policy"),
          cbitpos: element("cbitpos"),
          bits: element("reducedPhysBits"),
          hashes: /kernelHashes='(\w+)'/.exec(xml)?.[1],
        }),
  };
  assert.deepEqual(read, {
    loader: firmware.bios,
    kernel: boot.kernel,
    initrd: boot.initramfs,
    cmdline: boot.commandLine,
    memory: String(memoryMegabytes),
    vcpu: String(processors),
    cid: String(CID),
    ...(platform === "tdx"
      ? { mode: "host-passthrough" }
      : { model: processorModel, policy: "0x30000", cbitpos: "51", bits: "1", hashes: "yes" }),
    digest: Buffer.from(launchDigest ?? []).toString("base64"),
  });
}
