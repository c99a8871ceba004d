/* What tests may ask of the stand-in for Metal. */
#ifndef STANDIN_METAL_H
#define STANDIN_METAL_H

/* The `nth` message (from 1 on, counted from now) with this selector is answered with nil and does nothing;
 * the work of a "commit" fails. Tells whether what was asked for before has come about; selector "" and nth
 * 0: nothing fails. */
typedef int (*standin_metal_fail_function)(const char *selector, int nth);

#endif
