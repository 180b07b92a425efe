/** The worker of an engine as a file, for pages whose policy forbids workers from a blob. */
import "headwise/worker";
