/* Has the name of the real OpenCL library when others are linked, and nothing else. */
extern int losing_name;
int losing_name;
