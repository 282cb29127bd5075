/**
 * The tables of all floors: each owner's migrations, in the order in which they are run.
 */
import { archiveMigrations } from '../archives/archive-table.ts'
import { chunkMigrations } from '../archives/chunk-table.ts'
import { earlierStateMigrations } from '../archives/earlier-states.ts'
import { fileListMigrations } from '../archives/file-list-table.ts'
import { originMigrations } from '../archives/origins.ts'
import { revocationMigrations } from '../archives/revocation-table.ts'
import { uploadEndMigrations } from '../archives/upload-ends.ts'
import { uploadMigrations } from '../archives/upload-table.ts'
import { channelMigrations } from '../channels/channel-table.ts'
import { declineMigrations } from '../channels/decline-table.ts'
import { generationMigrations } from '../channels/generation-table.ts'
import { indexFormMigrations } from '../channels/index-forms.ts'
import { keyringMigrations } from '../channels/keyring-table.ts'
import { missingFileMigrations } from '../channels/missing-table.ts'
import { pdiffMigrations } from '../channels/pdiff-table.ts'
import { pinMigrations } from '../channels/pin-table.ts'
import { changelogMigrations } from '../desk/changelog-table.ts'
import { digestMigrations } from '../desk/digest-table.ts'
import { policyRunMigrations } from '../desk/policy-runs.ts'
import { policyMigrations } from '../desk/policy-table.ts'
import { gcRunMigrations } from '../keeping/gc-runs.ts'
import { scrubMigrations } from '../keeping/scrub-table.ts'
import { publicationMigrations } from '../signing/publication-table.ts'
import { auditMigrations } from '../store/audit.ts'
import { blobMigrations } from '../store/blobs.ts'
import { clientMigrations } from './client-table.ts'
import { tokenMigrations } from './tokens.ts'
import { trafficMigrations } from './traffic-table.ts'
import { unknownMigrations } from './unknown.ts'

/** The tables of all floors, in the order in which they are made. */
export const migrations = [
  ...blobMigrations,
  ...auditMigrations,
  ...archiveMigrations,
  ...earlierStateMigrations,
  ...originMigrations,
  ...chunkMigrations,
  ...uploadMigrations,
  ...publicationMigrations,
  ...channelMigrations,
  ...pinMigrations,
  ...declineMigrations,
  ...generationMigrations,
  ...indexFormMigrations,
  ...pdiffMigrations,
  ...missingFileMigrations,
  ...gcRunMigrations,
  ...scrubMigrations,
  ...keyringMigrations,
  ...tokenMigrations,
  ...clientMigrations,
  ...trafficMigrations,
  ...policyMigrations,
  ...policyRunMigrations,
  ...changelogMigrations,
  ...digestMigrations,
  ...unknownMigrations,
  ...revocationMigrations,
  ...uploadEndMigrations,
  ...fileListMigrations,
]
