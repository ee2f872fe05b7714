/** `@orrery/runtime`: the control loop: source, predicate, queue, controller, manager, election. */

export type { Controller, ControllerOptions, Informers, Outcome, ReconcileContext, Watch } from './controller.ts'
export { again, done, TerminalError } from './controller.ts'
export { createManager } from './create-manager.ts'
export { LeaseLostError } from './election.ts'
export type { EventInput, EventRecorder, EventRecorderOptions } from './event-recorder.ts'
export { createEventRecorder } from './event-recorder.ts'
export type { GarbageCollectorOptions } from './housekeeping/garbage-collector.ts'
export { addGarbageCollector } from './housekeeping/garbage-collector.ts'
export type { NamespaceControllerOptions } from './housekeeping/namespace-controller.ts'
export { createNamespaceController } from './housekeeping/namespace-controller.ts'
export type { Health, Leadership, Manager, ManagerOptions } from './manager.ts'
