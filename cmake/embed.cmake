# Writes a C file that holds texts by their names, compressed: cmake -DOUT=F -DTEXTS="a;b" -P embed.cmake
# Names and texts take turns, each with SEPARATOR behind it.
string(ASCII 30 separator)
set(all "")
foreach(path ${TEXTS})
    get_filename_component(name ${path} NAME)
    # Comments are for those who read the files.
    file(READ ${path} text)
    string(REGEX REPLACE "/\\*[^*]*\\*+([^/*][^*]*\\*+)*/" " " text "${text}")
    string(REGEX REPLACE "\n[ \n]+" "\n" text "${text}")
    string(APPEND all "${name}${separator}${text}${separator}")
endforeach()
file(WRITE ${OUT}.txt "${all}")
file(SIZE ${OUT}.txt size)
file(ARCHIVE_CREATE OUTPUT ${OUT}.gz PATHS ${OUT}.txt FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
# Without gzip's own header, which has the time in it: ten bytes as long as it has no name.
file(READ ${OUT}.gz flags OFFSET 3 LIMIT 1 HEX)
if(NOT flags STREQUAL "00")
    message(FATAL_ERROR "${OUT}.gz: a header with flags ${flags}")
endif()
file(READ ${OUT}.gz bytes OFFSET 10 HEX)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
file(WRITE ${OUT} "/* Made by cmake/embed.cmake. */
#include \"kernels/gpu/text.h\"

static const unsigned char deflated[] = {${bytes}};
static char room[${size} + 1];

const lt_gpu_texts lt_gpu_all_texts = {deflated, sizeof deflated, room, ${size}};
")
