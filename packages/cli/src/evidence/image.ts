import { untrusted } from "@cmcp/boundary";
import type { ImageMatcher } from "@cmcp/appraise";
import { acceptedLaunch, otherParts, parseMeasurements } from "@cmcp/measure";
import { readFileOf } from "../read-file.ts";

/** A `measurements.json` as what evidence is held against. @throws CmcpError `USAGE`, `MEASURE_INPUT_INVALID` */
export async function imageMatcher(path: string): Promise<ImageMatcher> {
  const measurements = parseMeasurements(untrusted(await readFileOf(path)));
  const { name, version } = measurements.image;
  return ({ platform, values, logged }) => {
    const launch = acceptedLaunch(measurements, platform, values);
    if (launch === null) return { otherParts: platform === "tpm" ? otherParts(measurements, values, logged) : [] };
    const { command_line: commandLine } = launch;
    return {
      name: `${name} ${version}, ${commandLine === null ? "its own command line" : `command line ${JSON.stringify(commandLine)}`}`,
      commandLine,
      vcpus: launch.platform === "sev-snp" ? launch.shape.vcpus : null,
    };
  };
}
