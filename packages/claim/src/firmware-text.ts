/** How the instance was run, as far as the claim has a field for it. */
export interface DeploymentMode {
  readonly isolation: "none" | "network-namespace";
  readonly channel: "plain" | "sealed";
}

const PATTERN = /^([^;]{1,512}); isolation=(none|network-namespace); channel=(plain|sealed)$/;

/**
 * `trace.runtime.firmware_version`: the platform's own text, then isolation and channel. No field may be
 * added to a claim, and this is the one whose text is the producer's.
 */
export function firmwareText(firmware: string, { isolation, channel }: DeploymentMode): string {
  return `${firmware.replaceAll(";", ",")}; isolation=${isolation}; channel=${channel}`;
}

/** Reads {@link firmwareText} back; `undefined` for any other text. */
export function parseFirmwareText(text: string): (DeploymentMode & { readonly firmware: string }) | undefined {
  const match = PATTERN.exec(text);
  const [, firmware, isolation, channel] = match ?? [];
  if (firmware === undefined) return undefined;
  return {
    firmware,
    isolation: isolation === "none" ? "none" : "network-namespace",
    channel: channel === "plain" ? "plain" : "sealed",
  };
}
