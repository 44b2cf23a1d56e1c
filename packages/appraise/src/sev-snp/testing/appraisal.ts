import { AT, Machine, type ReportOptions } from "./machine.ts";

export const genoa = await Machine.make("Genoa");
export const turin = await Machine.make("Turin");

export type Rules = Readonly<Record<string, unknown>>;

/** The guest policy of a sound report. */
export const POLICY = 0x3_0000n;
export const bit = (number: number): bigint => 1n << BigInt(number);
export const withPolicy = (policy: bigint): ReportOptions => ({ fields: [[AT.policy, policy, 8]] });
export const withPlatform = (platform: bigint): ReportOptions => ({ fields: [[AT.platform, platform, 8]] });
export const filled = (length: number, byte = 0x11): Uint8Array => new Uint8Array(length).fill(byte);

/** The checks that fail for a report under a policy, each with its code. */
export async function failures(report: ReportOptions, policy: Rules = {}, machine = genoa): Promise<readonly string[]> {
  return (await machine.verify({ report, policy })).failed;
}

/** The status of one check. */
export async function statusOf(name: string, report: ReportOptions, policy: Rules = {}): Promise<string | undefined> {
  return (await genoa.verify({ report, policy })).check(name)?.status;
}
