import type { KeyObject } from "node:crypto";
import { mkdirSync } from "node:fs";
import { buildFirmware, SEV_FIRMWARE, TDX_FIRMWARE } from "../../../../packages/measure/src/testing/firmware.ts";
import { buildPe } from "../../../../packages/measure/src/testing/pe.ts";
import { commandLine } from "../command-line.ts";
import type { Manifest } from "../manifest.ts";
import { publish } from "../publish.ts";

/** An image of the names and forms a build writes, small enough for any test. Nothing of it boots. */
export async function writeSmallImage(folder: string, key: KeyObject | null): Promise<Manifest> {
  mkdirSync(folder, { recursive: true });
  const kernel = buildPe([{ name: ".text", content: Buffer.from("kernel") }]);
  const initramfs = Buffer.from("initramfs");
  const outputs = new Map<string, Uint8Array>([
    ["vmlinuz", kernel],
    ["initramfs.cpio.zst", initramfs],
    [
      "cmcp-vtpm.efi",
      buildPe([
        { name: ".linux", content: kernel },
        { name: ".initrd", content: initramfs },
      ]),
    ],
    ["OVMF.amdsev.fd", buildFirmware(SEV_FIRMWARE)],
    ["OVMF.fd", buildFirmware(TDX_FIRMWARE)],
    ["OVMF.inteltdx.ms.fd", Buffer.from("firmware with keys")],
    ["OVMF_CODE_4M.fd", Buffer.from("firmware")],
    ["OVMF_VARS_4M.fd", Buffer.from("variables")],
    ...(["sev-snp", "tdx", "vtpm"] as const).map(
      (platform) => [`cmdline-${platform}`, Buffer.from(commandLine(platform, "release"))] as const,
    ),
    ["files.json", Buffer.from("[]\n")],
    ["sbom.cdx.json", Buffer.from("{}\n")],
  ]);
  return await publish(folder, outputs, "6.12.0", key);
}
