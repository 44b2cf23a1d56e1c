/**
 * Roots that certify the attestation keys of cloud providers' virtual TPMs, by the SHA-256 of their
 * SubjectPublicKeyInfo. A virtual TPM is software of the host: such a root says whose, not that the host is honest.
 */

/** CN=tpm_ek_v1_cloud_host_root, Google LLC: shielded and confidential VMs (pki.goog/cloud_integrity). */
export const GOOGLE_TPM_ROOT_SPKI_SHA256 = "f23057f4f97d1d90e4cae0ce91d5a0fc99069f0a1bc147021dca33b1e9c4d0d9";
/** CN=EK/AK CA Root, Google Cloud: the hierarchy that followed it in 2022. */
export const GOOGLE_EK_AK_ROOT_SPKI_SHA256 = "56a613f57126a385dd6949294e93b0b566f96ab0573be0c2368e6f5ca779831f";
/** CN=Azure Virtual TPM Root Certificate Authority 2023, Microsoft Corporation. */
export const AZURE_VIRTUAL_TPM_ROOT_SPKI_SHA256 = "5cbc52672ae101263c2976736044a964c1182ce9412c39937183baddcccb8cdf";
