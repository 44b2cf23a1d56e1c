import type { Quote } from "@cmcp/appraise/evidence";
import { ByteReader } from "@cmcp/boundary";
import { ALGORITHM, COMMAND } from "./codes.ts";
import { encodeSelection, type PcrSelection } from "./pcr.ts";
import { readResponse, type Tpm } from "./tpm.ts";
import { CommandWriter } from "./writer.ts";

/** Signs register values and qualifying data with an attestation key's own scheme (TPM2_Quote, part 3, section 18.4). */
export async function quote(
  tpm: Tpm,
  key: number,
  qualifyingData: Uint8Array,
  selection: PcrSelection,
): Promise<Quote> {
  const parameters = new CommandWriter()
    .sized(qualifyingData)
    .u16(ALGORITHM.null)
    .bytes(encodeSelection(selection))
    .done();
  const response = await tpm.run({
    name: "TPM2_Quote",
    code: COMMAND.quote,
    handles: [key],
    authorization: "password",
    parameters,
  });
  return readResponse("TPM2_Quote", () => {
    const reader = new ByteReader(response.parameters, "TPM2_Quote", "big");
    const attest = reader.take(reader.u16()).slice();
    return { attest, signature: reader.rest().slice() };
  });
}
