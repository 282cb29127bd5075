/**
 * The sections of the configuration, in the order in which they are applied; what goes, goes in the other one.
 */
import { archiveSection } from './archive-section.ts'
import { channelSection } from './channel-section.ts'
import { classSection } from './class-section.ts'
import type { Section } from './config-section.ts'
import { declineSection } from './decline-section.ts'
import { digestSection } from './digest-section.ts'
import { holdSection } from './hold-section.ts'
import { policySection } from './policy-section.ts'

/** All sections: each may need what those before it make. */
export const sections: readonly Section[] = [
  archiveSection,
  channelSection,
  classSection,
  holdSection,
  declineSection,
  policySection,
  digestSection,
]
