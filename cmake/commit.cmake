# Writes OUT, a header with the commit of SOURCE's checkout. Usage: cmake -D SOURCE=… -D OUT=… -P commit.cmake
cmake_minimum_required(VERSION 3.25)
execute_process(COMMAND git --no-optional-locks -C ${SOURCE} describe --always --dirty --abbrev=12 --exclude=*
    OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
if(failed)
    set(commit unknown)
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT "#define LATHE_COMMIT \"@commit@\"\n" @ONLY)
