/* How the stand-in before OpenCL's library loses a device. */
#ifndef LOSING_OPENCL_H
#define LOSING_OPENCL_H

typedef enum losing_stage {
    LOSING_LAUNCH, /* a kernel is refused */
    LOSING_WAIT,   /* waiting for it fails */
    LOSING_STATE,  /* what was waited for has ended with an error */
    LOSING_STAGES
} losing_stage;

/* The device of the next kernel is lost, for good; its driver says so in these words. */
typedef void losing_arm_function(losing_stage stage, const char *words);

#endif
