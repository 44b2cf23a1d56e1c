import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { unpackTar as readTar, type TarHeader } from "modern-tar";
import { unpackTar } from "modern-tar/fs";
import { readAr } from "./ar.ts";
import { malformed } from "./malformed.ts";
import { unxz } from "./xz.ts";

/**
 * The files that a Debian package installs, by path, without links. Its scripts are not looked at.
 * @throws CmcpError `IMAGE_INPUT_INVALID`
 */
export async function readDeb(deb: Uint8Array): Promise<Map<string, Uint8Array>> {
  const entries = await orMalformed(readTar(await dataArchive(deb), { strict: true }));
  return new Map(
    entries.flatMap(({ header: { name }, data }) => (data === undefined ? [] : [[name.replace(/^\.\//, ""), data]])),
  );
}

/**
 * Writes what a Debian package installs below `folder`, over what is there. Links to places of the machine are left
 * out.
 *
 * @throws CmcpError `IMAGE_INPUT_INVALID`, also for a name or link that leaves the folder
 */
export async function unpackDeb(deb: Uint8Array, folder: string): Promise<void> {
  const archive = await dataArchive(deb);
  const filter = ({ type, linkname }: TarHeader): boolean => type !== "symlink" || linkname?.startsWith("/") !== true;
  await orMalformed(pipeline(Readable.from([archive]), unpackTar(folder, { strict: true, filter })));
}

async function dataArchive(deb: Uint8Array): Promise<Uint8Array> {
  const data = readAr(deb).find(({ name }) => name === "data.tar.xz")?.data;
  if (data === undefined) throw malformed("deb", "no data archive that is compressed with xz");
  return await unxz(data);
}

async function orMalformed<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading;
  } catch (cause) {
    throw malformed("tar", cause instanceof Error ? cause.message : "a damaged archive", cause);
  }
}
