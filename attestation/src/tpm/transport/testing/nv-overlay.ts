import type { TpmTransport } from "../transport.ts";

const NV_READ_PUBLIC = 0x169;
const NV_READ = 0x14e;
const OWNER_READ = 1 << 17;

const u16 = (value: number): number[] => [value >> 8, value & 0xff];
const u32 = (value: number): number[] => [...u16(value >>> 16), ...u16(value & 0xffff)];

function response(tag: number, body: readonly number[]): Uint8Array {
  return Uint8Array.from([...u16(tag), ...u32(10 + body.length), ...u32(0), ...body]);
}

/**
 * A TPM with one more NV index than swtpm can have: its indices end at 2048 bytes, Azure's report has 2600. Everything
 * else goes to the TPM below.
 */
export function withNvIndex(below: TpmTransport, index: number, content: Uint8Array): TpmTransport {
  return {
    close: async () => await below.close(),
    async transmit(command) {
      const bytes = Buffer.from(command);
      const code = bytes.readUInt32BE(6);
      if (code === NV_READ_PUBLIC && bytes.readUInt32BE(10) === index) {
        const area = [...u32(index), ...u16(0x000b), ...u32(OWNER_READ), ...u16(0), ...u16(content.length)];
        return response(0x8001, [...u16(area.length), ...area, ...u16(0)]);
      }
      if (code === NV_READ && bytes.readUInt32BE(14) === index) {
        const size = bytes.readUInt16BE(bytes.length - 4);
        const offset = bytes.readUInt16BE(bytes.length - 2);
        const data = content.subarray(offset, offset + size);
        return response(0x8002, [...u32(2 + data.length), ...u16(data.length), ...data, ...u16(0), 1, ...u16(0)]);
      }
      return await below.transmit(command);
    },
  };
}
