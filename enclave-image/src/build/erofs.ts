import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { CpioMember } from "../archive/cpio.ts";
import type { Toolchain } from "./toolchain.ts";

/** Bytes that are decompressed together: larger saves little space and costs whoever reads one page of them. */
const CLUSTER = 65_536;
/**
 * Read pages cost half of what they cost with zstd, at 9 MB more. All but one of these are gained back, as the
 * initramfs is compressed once more as a whole.
 */
const COMPRESSION = "lz4hc,12";

/**
 * Packs files into an EROFS image, which the kernel reads page by page as they are asked for. Equal members give equal
 * bytes: owned by root, dated 0, without extended attributes, under a fixed identifier, whatever number of threads
 * compresses.
 *
 * @param members - a folder before what is in it
 * @param work - folder in which the tree and the image are made
 * @throws CmcpError `IMAGE_BUILD_FAILED` with what `mkfs.erofs` printed
 */
export function packErofs(toolchain: Toolchain, members: readonly CpioMember[], work: string): Uint8Array {
  const [tree, image] = [join(work, "erofs"), join(work, "erofs.image")];
  mkdirSync(tree);
  for (const member of members) {
    const path = join(tree, member.path);
    if (member.kind === "file") writeFileSync(path, member.data);
    else mkdirSync(path);
    // Not what the user's mask leaves of it.
    chmodSync(path, member.mode);
  }
  chmodSync(tree, 0o755);
  const options = [
    `-z${COMPRESSION}`,
    `-C${CLUSTER}`,
    "-T0",
    "--all-root",
    "-x-1",
    "-U00000000-0000-0000-0000-000000000000",
    "--workers=4",
    "--quiet",
  ];
  toolchain.run("usr/bin/mkfs.erofs", [...options, image, tree], { cwd: work });
  return readFileSync(image);
}
